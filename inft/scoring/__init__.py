"""How good captions are: BLEU-4, chrF and CIDEr, per language and overall, without torch."""
