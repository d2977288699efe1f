"""Spark Structured Streaming: the Kafka source, and the file sink with its checkpoint in HDFS."""

import os

from pyspark.sql import SparkSession

env = os.environ
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", env["spark_jars"])
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", env["bootstrap_servers"])
    .option("subscribe", env["topic"])
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", 50_000)
    .load()
)
query = (
    records.selectExpr("CAST(value AS STRING)")
    .writeStream.format("text")
    .option("path", env["hdfs_uri"] + env["hdfs_root"])
    .option("checkpointLocation", env["hdfs_uri"] + env["hdfs_root"] + "-checkpoint")
    .start()
)
query.awaitTermination()
