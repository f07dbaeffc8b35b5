"""Adapters that are broken on purpose, each with the law that must catch it: proof that the laws have teeth.

A mutant is an adapter of ours with one fault that a hurried author could make. `caught_by` is the law; `variant` the
config of the fake that it is run with.
"""
