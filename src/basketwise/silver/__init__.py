"""Clean, typed lines: from raw files of any cut to one partition a week."""
