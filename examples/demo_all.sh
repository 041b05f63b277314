#!/bin/sh
# The tasks that demo.sh leaves out. make demo-all calls this after it; BIN is the virtual environment's bin folder.
set -eu
elman="${BIN:?the folder where elman is installed}/elman"
out=demo
say() { printf '\n== %s ==\n' "$1"; }
show() { printf '%s\n' "\$ $*" | fold -s -w 76 | sed -e '$!s/$/\\/' -e '2,$s/^/    /'; }
run() { show elman "$@" && "$elman" "$@"; }
rm -rf $out/genres $out/vowels $out/punctuation $out/poems

cat <<END

The other tasks, in some 5 minutes on 2 cores:
  1  which of five works a line of classical Chinese is from    60 s
  2  which of nine men speaks: numbers in place of texts        15 s
  3  where the marks of a Tang poem belong                      50 s
  4  poems in the manner of the Tang, from 6,003 of them       130 s
END

say '1 of 4: odes, songs, drama or the Analects? Lines of classical Chinese'
run train classify data/chinese_genres_train.csv --out $out/genres
run evaluate $out/genres data/chinese_genres_test.csv
cat <<END
Lines of your own. 诗经 is the Book of Songs, 论语 the Analects,
楚辞 the Songs of Chu, 宋词 Song lyrics, 元曲 Yuan drama:
END
printf '%s\n' '关关雎鸠，在河之洲。' '学而时习之，不亦说乎？' \
    '帝高阳之苗裔兮。' '大江东去，浪淘尽。' '枯藤老树昏鸦。' | "$elman" predict $out/genres -

say '2 of 4: which of nine men says these vowels?'
run train classify data/japanese_vowels_train.ts --out $out/vowels
run evaluate $out/vowels data/japanese_vowels_test.ts

say '3 of 4: where do the commas and full stops of a poem belong?'
run train tag data/punctuation_train.conll --out $out/punctuation
run evaluate $out/punctuation data/punctuation_test.conll
echo '帝子遊何處江南草又生白雲千里外明月一舟行' | "$elman" predict $out/punctuation - --format text

say '4 of 4: write on, after "Before my bed, the moonlight" (床前明月光)'
run train language data/tang_poems.txt --out $out/poems
run generate $out/poems --prompt 床前明月光 --length 60 --temperature 0.8 --seed 1
