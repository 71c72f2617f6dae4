"""What the predictions are worth: metrics, intervals, drivers, money, pictures, report."""
