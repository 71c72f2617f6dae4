"""What a project needs in an account: made, changed, taken away, and who may do so."""
