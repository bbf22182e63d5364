"""One run: built, trained, evaluated, saved and summed up."""
