#!/bin/sh
# Trains a model of each task on the data that comes with the project, measures it, and puts it to use.
# make demo calls this; BIN is the virtual environment's bin folder.
set -eu
elman="${BIN:?the folder where elman is installed}/elman"
out=demo
say() { printf '\n== %s ==\n' "$1"; }

say 'Which work is this line of classical Chinese from? 9,819 lines to learn from'
"$elman" train classify data/chinese_genres_train.csv --text text --label label --out $out/genres --overwrite
say '2,000 lines that it has not seen'
"$elman" evaluate $out/genres data/chinese_genres_test.csv
say 'Lines of your own'
printf '%s\n' '关关雎鸠，在河之洲。' '学而时习之，不亦说乎？' '帝高阳之苗裔兮，朕皇考曰伯庸。' \
    '大江东去，浪淘尽，千古风流人物。' '枯藤老树昏鸦，小桥流水人家。' | "$elman" predict $out/genres -

say 'Which language is a surname from? A network in one direction can say while you type'
"$elman" train classify data/names_train.csv --no-bidirectional --out $out/surnames --overwrite
"$BIN/python" examples/stream.py $out/surnames Petrović

say 'Which of nine men says these vowels? Numbers in place of texts'
"$elman" train classify data/japanese_vowels_train.ts --out $out/vowels --overwrite
"$elman" evaluate $out/vowels data/japanese_vowels_test.ts

say 'Where do the marks of a poem belong?'
"$elman" train tag data/punctuation_train.conll --out $out/punctuation --overwrite
"$elman" evaluate $out/punctuation data/punctuation_test.conll
echo '帝子遊何處江南草又生白雲千里外明月一舟行' | "$elman" predict $out/punctuation - --format text

say 'How much carbon dioxide will there be at Mauna Loa in the next two years?'
"$elman" train forecast data/co2.csv --time date --target co2 --out $out/co2 --overwrite
"$elman" forecast $out/co2 --horizon 104 --plot $out/co2.png --overwrite > $out/co2.csv
head -n 4 $out/co2.csv

say 'Poems in the manner of the Tang, from 6,003 of them'
"$elman" train language data/tang_poems.txt --out $out/poems --overwrite
"$elman" generate $out/poems --prompt '床前明月光' --length 60 --temperature 0.8 --seed 1

cat <<END

The models lie in $out and run without PyTorch (docs/tasks.md). $out/co2.png shows the forecast. Next:
  $elman predict $out/genres my_lines.txt                 your own lines, one text a line
  $elman info $out/genres                                 what it is made of
  $BIN/python examples/stream.py $out/surnames YourName   read as it is typed
  $BIN/python examples/spoil.py $out/genres               ten spoiled copies, and what is said of each
  $elman export $out/genres genres.onnx                   for ONNX Runtime
  $elman train classify reviews.csv --text text --label label --out my_model
END
