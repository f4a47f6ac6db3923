"""The vocabulary and the truth: phases, evidence, guards, the ledger and the store.

Imports nothing of `server`, `tools` or `knowledge`, so that each of them may speak its words.
"""
