"""Draw the diagrams of ``engine.md`` and ``engine.zh.md`` into ``images``: ``python docs/diagrams.py``.

A diagram is an SVG that takes its colours from variables: of itself, light or dark as the reader's system is, or of the
page that it stands in.
"""

from collections.abc import Callable
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent / "images"

STYLE = """
.diagram { --ink: #222; --soft: #777; --blue: #3b78c2; --orange: #d9730d; --green: #2e8b57 }
@media (prefers-color-scheme: dark) { .diagram { --ink: #ddd; --soft: #999 } }
.diagram text { fill: var(--ink); font: 14px system-ui, sans-serif }
.diagram .soft { fill: var(--soft); font-size: 13px }
.diagram rect, .diagram path { stroke: var(--ink); fill: none; stroke-width: 1.2 }
.diagram .input { stroke: var(--blue); fill: var(--blue); fill-opacity: 0.25 }
.diagram .state { stroke: var(--orange); fill: var(--orange); fill-opacity: 0.25 }
.diagram .final { stroke: var(--orange); fill: var(--orange); fill-opacity: 0.7 }
.diagram .answer { stroke: var(--green); fill: var(--green); fill-opacity: 0.25 }
.diagram .empty { stroke: var(--soft); stroke-dasharray: 2 3 }
.diagram .back { stroke: var(--green) }
.diagram .dashed { stroke-dasharray: 5 4 }
.diagram .tip { fill: context-stroke; stroke: none }
"""
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0 8 4 0 8z"/></marker>'
)


class Drawing:
    """Parts of an SVG; text is given in English and Chinese, and the language chosen once."""

    def __init__(self, width: int, height: int, language: int) -> None:
        self.size, self.language, self.parts = (width, height), language, [f"<style>{STYLE}</style><defs>{TIP}</defs>"]

    def text(self, x: float, y: float, *words: str, kind: str = "", anchor: str = "middle") -> None:
        chosen = escape(words[self.language if len(words) > 1 else 0])
        self.parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{chosen}</text>')

    def box(self, x: float, y: float, width: float, height: float, kind: str, *words: str) -> None:
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" class="{kind}"/>')
        if words:
            self.text(x + width / 2, y + height / 2 + 5, *words)

    def grid(self, x: float, y: float, rows: int, columns: int, kind: str, cell: int = 16) -> None:
        for row in range(rows):
            for column in range(columns):
                self.box(x + column * cell, y + row * cell, cell, cell, kind)

    def arrow(self, *points: float, kind: str = "") -> None:
        path = "M" + " ".join(f"{point:g}" for point in points)
        self.parts.append(f'<path d="{path}" class="{kind}" marker-end="url(#tip)"/>')

    def __str__(self) -> str:
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" class="diagram">'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"


def shapes(language: int) -> Drawing:
    drawing = Drawing(720, 250, language)
    for step in range(4):
        drawing.grid(20 + 54 * step, 70, 3, 2, "input")
        drawing.text(36 + 54 * step, 60, f"t={step + 1}", kind="soft")
    drawing.text(8, 30, "input (steps 4, batch 3, input_size 2)", "输入（4 步，批 3，input_size 2）", anchor="start")
    drawing.arrow(240, 94, 300, 94)
    drawing.text(270, 84, "RNN")
    for step in range(4):
        drawing.grid(312 + 98 * step, 70, 3, 5, "final" if step == 3 else "state")
        drawing.text(352 + 98 * step, 60, f"t={step + 1}", kind="soft")
        if step:
            drawing.arrow(395 + 98 * (step - 1), 94, 410 + 98 * (step - 1), 94)
    drawing.text(500, 30, "output (steps 4, batch 3, hidden_size 5)", "output（4 步，批 3，hidden_size 5）")
    drawing.arrow(646, 122, 646, 154)
    drawing.grid(606, 158, 3, 5, "final")
    drawing.text(646, 226, "h_n (1, 3, 5)")
    drawing.grid(42, 160, 5, 2, "empty", 14)
    drawing.text(96, 200, "W_ih (5, 2)", anchor="start")
    drawing.grid(232, 160, 5, 5, "empty", 14)
    drawing.text(312, 200, "W_hh (5, 5)", anchor="start")
    drawing.text(410, 200, "the same at every step", "每一步都用同一组权重", kind="soft", anchor="start")
    return drawing


def packing(language: int) -> Drawing:
    drawing, cell, lengths = Drawing(720, 230, language), 28, (5, 3, 2)
    drawing.text(20, 26, "padded: sequences of 5, 3 and 2 steps", "填充：三条序列，长 5、3、2 步", anchor="start")
    for row, length in enumerate(lengths):
        for step in range(5):
            real = step < length
            words = (f"{'abc'[row]}{step + 1}",) if real else ("0",)
            drawing.box(20 + step * cell, 46 + row * cell, cell, cell, "input" if real else "empty", *words)
    drawing.arrow(180, 88, 310, 88)
    drawing.text(
        336, 26, "packed: step by step, only rows that are there", "打包：按步排列，只留还有的行", anchor="start"
    )
    x = 336.0
    for step in range(5):
        rows = sum(length > step for length in lengths)
        for row in range(rows):
            drawing.box(x, 74, cell, cell, "input", f"{'abc'[row]}{step + 1}")
            x += cell
        drawing.text(x - rows * cell / 2, 122, str(rows), kind="soft")
        x += 8
    drawing.text(
        336,
        146,
        "rows at each step: batch_sizes = 3, 3, 2, 1, 1",
        "每一步的行数：batch_sizes = 3, 3, 2, 1, 1",
        anchor="start",
    )
    drawing.text(
        20,
        186,
        "One case for the engine: step t has rows[t] rows that begin at offset[t]; padded is rows[t] = batch.",
        "引擎眼里只有一种情形：第 t 步有 rows[t] 行，从 offset[t] 开始；填充就是 rows[t] = 批大小。",
        kind="soft",
        anchor="start",
    )
    drawing.text(
        20,
        208,
        "So both give a sequence the same bits, and no step of padding is computed when packed.",
        "所以两种方式的结果每个比特都相同，而打包时不会计算填充的步。",
        kind="soft",
        anchor="start",
    )
    return drawing


def bptt(language: int) -> Drawing:
    drawing = Drawing(720, 330, language)
    for step in range(4):
        x = 100 + 150 * step
        drawing.box(x, 80, 80, 34, "state", f"h_{step + 1}")
        drawing.box(x, 190, 80, 34, "answer", f"d_{step + 1}")
        drawing.box(x, 268, 80, 34, "input", f"x_{step + 1}, h_{step}")
        drawing.arrow(x + 12, 268, x + 12, 116, kind="dashed")
        drawing.arrow(x + 56, 116, x + 56, 188, kind="back")
        drawing.text(x + 62, 156, f"g_{step + 1}", anchor="start")
        drawing.arrow(x + 56, 226, x + 56, 266, kind="back")
        if step < 3:
            drawing.arrow(x + 80, 97, x + 148, 97)
            drawing.text(x + 114, 90, "W_hh")
            drawing.arrow(x + 150, 207, x + 82, 207, kind="back")
            drawing.text(x + 116, 200, "W_hhᵀ")
    drawing.arrow(40, 97, 98, 97)
    drawing.text(30, 102, "h_0")
    drawing.arrow(100, 207, 50, 207, kind="back")
    drawing.text(30, 212, "dh_0")
    drawing.text(360, 28, "forward: only the output is kept", "前向：只保留输出")
    drawing.text(360, 50, "h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)", kind="soft")
    drawing.text(690, 212, "BPTT", anchor="end")
    drawing.text(
        360, 324, "dW_ih = Σ d_t x_tᵀ    dW_hh = Σ d_t h_{t-1}ᵀ    db = Σ d_t    dx_t = W_ihᵀ d_t", kind="soft"
    )
    return drawing


def dropout(language: int) -> Drawing:
    drawing = Drawing(640, 300, language)
    drawing.text(20, 62, "layer 1", "第 1 层", anchor="start")
    drawing.text(20, 172, "layer 0", "第 0 层", anchor="start")
    for step in range(3):
        x = 130 + 140 * step
        drawing.box(x, 40, 80, 34, "state", f"h_{step + 1}")
        drawing.box(x, 150, 80, 34, "state", f"h_{step + 1}")
        drawing.box(x, 240, 80, 30, "input", f"x_{step + 1}")
        drawing.arrow(x + 40, 240, x + 40, 186)
        drawing.arrow(x + 40, 150, x + 40, 76, kind="back dashed")
        drawing.arrow(x + 40, 40, x + 40, 14)
        drawing.text(x + 50, 118, ("× ▢ ▢ ×", "▢ × ▢ ▢", "▢ ▢ × ×")[step], anchor="start", kind="soft")
        if step < 2:
            drawing.arrow(x + 80, 57, x + 138, 57)
            drawing.arrow(x + 80, 167, x + 138, 167)
    drawing.text(
        320,
        292,
        "Dropout acts on the dashed arrows alone: × becomes 0, the others are divided by 1 - p.",
        "dropout 只作用在虚线箭头上：× 置零，其余除以 1 - p。",
        kind="soft",
    )
    return drawing


def directions(language: int) -> Drawing:
    drawing = Drawing(640, 300, language)
    drawing.text(20, 182, "forward", "正向", anchor="start")
    drawing.text(20, 122, "reverse", "反向", anchor="start")
    drawing.text(20, 52, "output", anchor="start")
    for step in range(4):
        x = 120 + 130 * step
        drawing.box(x, 160, 70, 32, "final" if step == 3 else "state", f"→h_{step + 1}")
        drawing.box(x, 100, 70, 32, "final" if step == 0 else "state", f"←h_{step + 1}")
        drawing.box(x, 226, 70, 30, "input", f"x_{step + 1}")
        drawing.box(x, 34, 35, 28, "state", "→")
        drawing.box(x + 35, 34, 35, 28, "state", "←")
        drawing.arrow(x + 35, 226, x + 35, 194)
        drawing.arrow(x + 35, 100, x + 35, 64)
        drawing.arrow(x + 58, 226, x + 88, 210, x + 88, 134, x + 72, 124, kind="dashed")
        if step < 3:
            drawing.arrow(x + 70, 176, x + 128, 176)
            drawing.arrow(x + 130, 110, x + 72, 110, kind="back")
    drawing.text(
        320,
        288,
        "h_n holds the dark ones: forward ends at the last step, reverse at the first.",
        "深色的两个在 h_n 里：正向在最后一步结束，反向在第一步结束。",
        kind="soft",
    )
    return drawing


def heads(language: int) -> Drawing:
    drawing = Drawing(760, 330, language)
    names = (("classifier", "分类"), ("tagger", "序列标注"), ("language model", "语言模型"), ("forecaster", "预测"))
    tops = (
        (("softmax of scores,", "对网络与 n 元组的"), ("also of n-grams", "得分取 softmax")),
        (("likeliest path,", "词对也加分，"), ("pairs of words too", "取最可能的路径")),
        (("softmax beside", "与每个词元的"), ("every token's vector", "向量比较")),
        (("mix of simple", "简单预测的混合"), ("forecasts + this", "加上它")),
    )
    middles = (
        ("max, mean, last", "最大、平均、末态"),
        ("every step", "每一步"),
        ("every step", "每一步"),
        ("last", "末态"),
    )
    for column, (name, top, middle) in enumerate(zip(names, tops, middles, strict=True)):
        x = 10 + 188 * column
        drawing.text(x + 88, 24, *name)
        drawing.box(x + 4, 40, 168, 52, "answer")
        for row, words in enumerate(top):
            drawing.text(x + 88, 62 + 20 * row, *words)
        drawing.text(x + 88, 134, *middle, kind="soft")
        every = column in (1, 2)
        for step in range(3):
            at = x + 20 + 48 * step
            drawing.box(at, 180, 40, 30, "state" if every or column == 0 or step == 2 else "empty", f"h_{step + 1}")
            drawing.box(at, 254, 40, 28, "input", f"x_{step + 1}")
            drawing.arrow(at + 20, 254, at + 20, 212)
            if every or column == 0 or step == 2:
                drawing.arrow(at + 20, 180, at + 20 if every else x + 88, 144 if not every else 142)
        drawing.arrow(x + 88, 122, x + 88, 94)
    foot = (
        ("tokens, both ways", "词元，双向"),
        ("words and letters, both ways", "词和字母，双向"),
        ("tokens, n-grams, forward", "词元和 n 元组，正向"),
        ("two seasons, 3 networks", "最近两季，三个网络"),
    )
    for column, words in enumerate(foot):
        drawing.text(98 + 188 * column, 308, *words, kind="soft")
    return drawing


DIAGRAMS: dict[str, Callable[[int], Drawing]] = {
    drawn.__name__: drawn for drawn in (shapes, packing, bptt, dropout, directions, heads)
}


def files() -> dict[Path, str]:
    """Every diagram in both languages, by its file."""
    return {
        IMAGES / f"{name}{suffix}.svg": str(draw(language))
        for name, draw in DIAGRAMS.items()
        for language, suffix in enumerate(("", ".zh"))
    }


if __name__ == "__main__":
    for path, drawing in files().items():
        path.write_text(drawing, encoding="utf-8")
