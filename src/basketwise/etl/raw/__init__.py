"""Raw tables: files of any format, told apart and read as frames."""
