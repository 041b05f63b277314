#!/bin/sh
# Trains a text classifier on the data that comes with the project, tests it, and puts it to use.
# make demo calls this; BIN is the virtual environment's bin folder.
set -eu
elman="${BIN:?the folder where elman is installed}/elman"
model=demo/genres

printf '\n== Which work is this line of classical Chinese from? 9,819 lines to learn from ==\n'
"$elman" train classify data/chinese_genres_train.csv --text text --label label --out "$model" --overwrite

printf '\n== 2,000 lines that it has not seen ==\n'
"$elman" evaluate "$model" data/chinese_genres_test.csv

printf '\n== Lines of your own ==\n'
printf '%s\n' '关关雎鸠，在河之洲。' '学而时习之，不亦说乎？' '帝高阳之苗裔兮，朕皇考曰伯庸。' \
    '大江东去，浪淘尽，千古风流人物。' '枯藤老树昏鸦，小桥流水人家。' | "$elman" predict "$model" -

cat <<END

The model lies in $model. Next:
  $elman predict $model my_lines.txt                 your own lines, one text a line
  $elman info $model                                 what it is made of
  $elman train classify reviews.csv --text text --label label --out my_model
END
