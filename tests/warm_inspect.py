"""Makes ``inspect`` note where every imported module is, once for all warm processes.

It is asked by pydantic for the source of each settings class; otherwise each process would look up
the paths of some three thousand modules for that.
"""

import inspect

inspect.getmodule(inspect.currentframe())
