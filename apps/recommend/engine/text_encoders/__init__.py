"""Texts to vectors, by whichever encoder is asked for and can be had."""
