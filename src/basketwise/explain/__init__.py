"""Why a basket was given its class: what its products add, in numbers and in words."""
