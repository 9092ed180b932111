"""Mistakes that the chapters' checks must recognise, one module a chapter."""
