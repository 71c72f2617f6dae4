"""The product sensitivity index: what each product says about the basket it is in.

Learned in three steps, each fold by itself: sufficient statistics (one pass over the lines), ridge
coefficients, and a likelihood refinement of the products' classes.
"""
