"""The HTTP application: one for the command line, a container, SageMaker and Kubernetes.

What reads and answers a request (:mod:`~basketwise.serving.http.baskets`,
:mod:`~basketwise.serving.http.answers`, :mod:`~basketwise.serving.http.formats`) needs no web
framework, so that AWS's own serving stack can call it too.
"""
