"""ETL and scoring on Spark, by the core's own functions within its tasks.

The DataFrame API alone is used, never a context or an RDD, and no function of ``pyspark.sql``'s
``functions``: expressions are SQL. So a frame of a session of this process, of Spark Connect, or
of another server that speaks it, is treated alike, even where there are several in one process.
"""
