"""Classify the texts of a file with a Ray Dataset: each worker loads the model once and reads batches.

    pip install 'ray[data]' elman
    python examples/ray_predict.py model/ texts.txt predictions/ --workers 2

The base install of elman is enough: no worker imports PyTorch. Predictions come as Parquet files.
"""

import argparse
import logging
import time
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext

import elman
from elman.runtime import TextClassifier


class Predictor:
    """A worker, which holds a model."""

    def __init__(self, folder: str) -> None:
        elman.set_num_threads(1)  # the workers share the cores
        self.model = TextClassifier.load(folder)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        probabilities = self.model.predict_proba(batch["text"].tolist())
        batch["label"] = self.model.classes[probabilities.argmax(1)]
        batch["probability"] = probabilities.max(1)
        return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder, of a text classifier")
    parser.add_argument("texts", help="a file, or a folder of files, with a text a line")
    parser.add_argument("out", help="a folder for the predictions")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=1024)
    options = parser.parse_args()

    ray.init(num_cpus=options.workers, include_dashboard=False, logging_level=logging.WARNING, log_to_driver=False)
    DataContext.get_current().enable_progress_bars = False
    texts = ray.data.read_text(options.texts).repartition(4 * options.workers).materialize()
    started = time.perf_counter()
    predicted = texts.map_batches(
        Predictor,
        fn_constructor_args=(options.model,),
        batch_size=options.batch_size,
        compute=ActorPoolStrategy(size=options.workers),
    ).materialize()
    seconds = time.perf_counter() - started
    predicted.write_parquet(options.out)
    count = predicted.count()
    print(f"{count:,} texts in {seconds:.1f} s by {options.workers} workers: {count / seconds:,.0f} texts a second")


if __name__ == "__main__":
    main()
