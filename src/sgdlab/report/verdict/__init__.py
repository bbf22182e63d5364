"""What a report concludes, in numbers and in sentences."""
