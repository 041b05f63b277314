#!/bin/sh
# Trains text classifiers on the data that comes with the project, tests them, and puts them to use.
# make demo calls this; BIN is the virtual environment's bin folder.
set -eu
elman="${BIN:?the folder where elman is installed}/elman"
model=demo/genres surnames=demo/surnames

printf '\n== Which work is this line of classical Chinese from? 9,819 lines to learn from ==\n'
"$elman" train classify data/chinese_genres_train.csv --text text --label label --out "$model" --overwrite

printf '\n== 2,000 lines that it has not seen ==\n'
"$elman" evaluate "$model" data/chinese_genres_test.csv

printf '\n== Lines of your own ==\n'
printf '%s\n' '关关雎鸠，在河之洲。' '学而时习之，不亦说乎？' '帝高阳之苗裔兮，朕皇考曰伯庸。' \
    '大江东去，浪淘尽，千古风流人物。' '枯藤老树昏鸦，小桥流水人家。' | "$elman" predict "$model" -

printf '\n== Which language is a surname from? A network in one direction can say while you type ==\n'
"$elman" train classify data/names_train.csv --no-bidirectional --out "$surnames" --overwrite
"$BIN/python" examples/stream.py "$surnames" Petrović

cat <<END

The models lie in $model and $surnames and run without PyTorch (docs/runtime.md). Next:
  $elman predict $model my_lines.txt                 your own lines, one text a line
  $elman info $model                                 what it is made of
  $BIN/python examples/stream.py $surnames YourName     read as it is typed
  $BIN/python examples/spoil.py $model               ten spoiled copies, and what is said of each
  $elman export $model genres.onnx                   for ONNX Runtime
  $elman train classify reviews.csv --text text --label label --out my_model
END
