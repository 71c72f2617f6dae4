"""Lines: each judged, typed or refused with a reason."""
