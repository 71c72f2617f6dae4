"""The templates of the report, and the filters they write values with."""
