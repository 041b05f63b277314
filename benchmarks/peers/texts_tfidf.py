"""Classify texts by TF-IDF of words and of character n-grams, with logistic regression."""

from shared import paths, read_texts, report, timed
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union

STRENGTHS = (1, 10, 100)  # of which cross-validation on the training part chooses


def main() -> None:
    train, test = paths()
    texts, labels = read_texts(train)
    test_texts, truth = read_texts(test)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    words = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True)
    pipeline = make_pipeline(make_union(characters, words), LogisticRegression(max_iter=300))
    search = GridSearchCV(pipeline, {"logisticregression__C": STRENGTHS}, cv=3)
    _, training = timed(lambda: search.fit(texts, labels))
    predicted, prediction = timed(lambda: search.predict(test_texts))
    accuracy, macro_f1 = accuracy_score(truth, predicted), f1_score(truth, predicted, average="macro")
    report(training, prediction, accuracy=accuracy, macro_f1=macro_f1, chosen=search.best_params_)


if __name__ == "__main__":
    main()
