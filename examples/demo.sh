#!/bin/sh
# Trains on the data that comes with the project, measures what was learned, and puts it to use. make demo calls this
# after showing demo.txt; BIN is the virtual environment's bin folder.
set -eu
elman="${BIN:?the folder where elman is installed}/elman"
out=demo
say() { printf '\n== %s ==\n' "$1"; }
show() { printf '%s\n' "\$ $*" | fold -s -w 76 | sed -e '$!s/$/\\/' -e '2,$s/^/    /'; }
run() { show elman "$@" && "$elman" "$@"; }
rm -rf $out/surnames $out/co2 $out/co2.png

say '1 of 4: train. Which of 12 languages is a surname from?'
run train classify data/names_train.csv --no-bidirectional --out $out/surnames

say '2 of 4: evaluate, on 2,000 surnames that it has not seen'
run evaluate $out/surnames data/names_test.csv

say '3 of 4: predict names of your own, and one while it is typed'
show "printf '%s\\n' Thompson Novotná Beethoven García | elman predict $out/surnames -"
printf '%s\n' Thompson Novotná Beethoven García | "$elman" predict $out/surnames -
show "python examples/stream.py $out/surnames Petrović"
"$BIN/python" examples/stream.py $out/surnames Petrović

say '4 of 4: a picture. Two years of carbon dioxide at Mauna Loa, forecast'
run train forecast data/co2.csv --time date --target co2 --out $out/co2
show "elman forecast $out/co2 --horizon 104 --plot $out/co2.png > $out/co2.csv"
"$elman" forecast $out/co2 --horizon 104 --plot $out/co2.png > $out/co2.csv
head -n 4 $out/co2.csv

cat <<END

Look at $out/co2.png. The models in $out run without PyTorch. Next, perhaps:
  export PATH=$BIN:\$PATH
  elman predict $out/surnames my_names.txt          your own, a name a line
  elman info $out/surnames                          what it is made of
  python examples/spoil.py $out/surnames            spoiled copies, each refused
  elman export $out/surnames surnames.onnx          for ONNX Runtime
  elman train classify reviews.csv --out my_model   your own texts and labels
  make demo-all                                     the other tasks, 5 minutes
docs/tasks.md shows each task with its output.
END
