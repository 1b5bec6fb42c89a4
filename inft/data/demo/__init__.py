"""Bundled demo corpus: public-domain and CC0 photographs with texts in ten languages."""
