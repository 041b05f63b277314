"""Sentences to tag: journeys, with the places and days in them."""

from itertools import product

PLACES = [["Rome"], ["New", "York"], ["Ulm"], ["San", "José"]]
DAYS = [["Monday"], ["Friday"]]

SENTENCES, TAGS = [], []
for verb, place, day in product(["Fly", "go", "walk"], PLACES, DAYS):
    SENTENCES.append([verb, "to", *place, "on", *day, "."])
    TAGS.append(["O", "O", "B-place", *["I-place"] * (len(place) - 1), "O", "B-day", "O"])
