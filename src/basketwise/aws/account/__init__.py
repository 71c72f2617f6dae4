"""The resources of a project in an account, and the policies to manage and use them."""
