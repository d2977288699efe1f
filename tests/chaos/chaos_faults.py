"""All kinds of fault. Each injects, yields for how many seconds it is to last, and heals.

Those of one lane come one after another; the lanes run beside each other, so that faults of different lanes overlap,
and one's recovery may wait for another's: a consumer that comes back while Elasticsearch is down, say.
"""

from chaos_world import Fault, delivered, sent_again
from namenode_proxy import pause
from script_faults import (
    PAST_THE_SESSION,
    a_member,
    clock_skewed,
    compaction,
    consumer_killed,
    delivered_again,
    frozen,
    poison,
    process_less,
    process_more,
    producer_clock_skewed,
    replay_killed,
    stream_killed,
    the_stream,
    too_large,
)
from server_faults import (
    BROKERS,
    DATANODES,
    broker_restarted,
    brokers_restarted_in_turn,
    disk_full,
    hooked,
    in_sync,
    index_read_only,
    nothing_to_do,
    requests_that,
    safe_mode,
    server_killed,
    servers_frozen,
    shards_tried_again,
    spill_disk_full,
)

ELASTICSEARCH_FULL = disk_full("elasticsearch", shards_tried_again, 3, 8)

FAULTS = [
    Fault("broker killed", "Kafka", server_killed(BROKERS, 1, 6), in_sync),
    Fault("broker frozen", "Kafka", servers_frozen(BROKERS, 1, 3, 10), in_sync),
    Fault("two brokers frozen", "Kafka", servers_frozen(BROKERS, 2, 3, 8), in_sync),
    Fault("all brokers frozen", "Kafka", servers_frozen(BROKERS, 3, 3, 8), in_sync),
    Fault("rolling restart of brokers", "Kafka", brokers_restarted_in_turn, in_sync),
    Fault("ZooKeeper frozen", "Kafka", servers_frozen(["zookeeper"], 1, 2, 5), in_sync),
    Fault("broker's disk full", "Kafka", disk_full("kafka1", broker_restarted, 2, 5), in_sync, "kafka1"),
    Fault("spill's disk full", "Kafka", spill_disk_full, sent_again("simulator"), "spill"),
    Fault("consumer killed (A)", "A", consumer_killed("A"), delivered("A")),
    Fault("consumer frozen (A)", "A", frozen(a_member("A"), *PAST_THE_SESSION), delivered("A")),
    Fault("third consumer (A)", "A", process_more("A"), delivered("A")),
    Fault("consumer leaves (A)", "A", process_less("A"), delivered("A")),
    Fault("consumer's clock skewed (A)", "A", clock_skewed("A"), delivered("A")),
    Fault("Elasticsearch killed", "Elasticsearch", server_killed(["elasticsearch"], 0, 3), delivered("A")),
    Fault(
        "Elasticsearch frozen", "Elasticsearch", servers_frozen(["elasticsearch"], 1, 3, 10), delivered("A")
    ),
    Fault("Elasticsearch's disk full", "Elasticsearch", ELASTICSEARCH_FULL, delivered("A"), "elasticsearch"),
    Fault("index read-only", "Elasticsearch", index_read_only, delivered("A")),
    Fault("consumer killed (B)", "B", consumer_killed("B"), delivered("B")),
    Fault("consumer frozen (B)", "B", frozen(a_member("B"), *PAST_THE_SESSION), delivered("B")),
    Fault("third consumer (B)", "B", process_more("B"), delivered("B")),
    Fault("consumer leaves (B)", "B", process_less("B"), delivered("B")),
    Fault("consumer's clock skewed (B)", "B", clock_skewed("B"), delivered("B")),
    Fault("NameNode killed", "NameNode", server_killed(["namenode"], 0, 3), delivered("B")),
    Fault("NameNode frozen", "NameNode", servers_frozen(["namenode"], 1, 3, 10), delivered("B")),
    Fault("safe mode", "NameNode", safe_mode, delivered("B")),
    Fault("DataNode killed", "DataNodes", server_killed(DATANODES, 1, 6), delivered("B")),
    Fault("DataNode frozen", "DataNodes", servers_frozen(DATANODES, 1, 3, 10), delivered("B")),
    Fault(
        "DataNode's disk full",
        "DataNodes",
        disk_full("datanode1", nothing_to_do, 3, 8),
        delivered("B"),
        "datanode1",
    ),
    Fault("NameNode requests lost", "NameNode", requests_that("lose request"), delivered("B")),
    Fault("NameNode answers lost", "NameNode", requests_that("lose answer"), delivered("B")),
    Fault("NameNode requests doubled", "NameNode", requests_that("twice"), delivered("B")),
    Fault("rename held back", "NameNode", hooked(lambda _: pause("RENAME", 22), 4, 6), delivered("B")),
    Fault("compaction", "NameNode", compaction, delivered("B")),
    Fault("stream's producer killed", "stream", stream_killed, sent_again("simulator")),
    Fault("stream's producer frozen", "stream", frozen(the_stream, 2, 10), sent_again("simulator")),
    Fault("replay's producer killed", "replay", replay_killed, sent_again("replay")),
    Fault("poison in the topic", "topic", poison, delivered("A", "B")),
    Fault("a line over the limit", "replay", too_large, sent_again("replay")),
    Fault("producer's clock skewed", "replay", producer_clock_skewed, sent_again("replay")),
    Fault("tweets delivered again", "replay", delivered_again, sent_again("replay")),
]
