"""Silver: clean lines on disk, a partition a week, and what is known of them."""
