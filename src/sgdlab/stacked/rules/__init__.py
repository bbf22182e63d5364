"""Update rules of stacked runs, one optimizer per file."""
