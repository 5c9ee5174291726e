"""Raw corpora to examples to DocBin: one reader per format behind one interface, one writer."""
