"""Makes records of documents, one for each paragraph: JSON lines on stdout.

Usage: records.py FILE…             records of the files
       records.py --vector TEXT     only the vector of a text

The embedding counts words by hash in 64 places and has length 1: crude, but near texts are near.
"""
import hashlib
import json
import math
import os
import re
import sys

DIMENSION = 64


def embed(text):
    numbers = [0.0] * DIMENSION
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        numbers[hashlib.sha256(word.encode()).digest()[0] % DIMENSION] += 1.0
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 6) for number in numbers]


def main():
    if sys.argv[1] == "--vector":
        print(json.dumps(embed(sys.argv[2])))
        return
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            paragraphs = [text.strip() for text in re.split(r"\n\s*\n", file.read())]
        name = os.path.basename(path)
        for number, text in enumerate(paragraphs):
            if len(re.findall(r"[a-z]{3,}", text.lower())) < 8:
                continue
            metadata = {"file": name, "paragraph": number, "words": len(text.split())}
            print(json.dumps({"id": f"{name}#{number}", "embedding": embed(text), "document": text,
                              "metadata": metadata}))


main()
