"""How the n-gram model is made: `python -m guard.training.ngrams --data FOLDER`. Only this needs scikit-learn."""
