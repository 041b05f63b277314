"""A text classified while it is typed, on NumPy and the engine alone.

    python examples/stream.py demo/surnames Petrović

The model is a text classifier whose network reads in one direction (elman train classify … --no-bidirectional). After
each character it says what it would, were the text to end there: to the bit what predict_proba says of that much text.
"""

import sys

import elman


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} MODEL TEXT")
    model = elman.load(sys.argv[1])
    if not isinstance(model, elman.runtime.TextClassifier):
        sys.exit(f"{sys.argv[1]}: expected a text classifier, got {model!r}")
    stream = model.stream()
    width = len(sys.argv[2])
    for character in sys.argv[2]:
        probabilities = stream.step(character)
        likeliest = probabilities.argsort()[::-1][:3]
        print(f"{stream.text:{width}}", "  ".join(f"{model.classes[i]} {probabilities[i]:.1%}" for i in likeliest))


if __name__ == "__main__":
    main()
