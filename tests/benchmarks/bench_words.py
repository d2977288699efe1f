"""What the report says, in both languages of the READMEs."""

from typing import Any

WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "chart": "Records a second and CPU seconds: both groups and what people use instead",
        "elasticsearch": "Kafka to Elasticsearch",
        "hdfs": "Kafka to HDFS",
        "producing": "Into Kafka",
        "freshness": (
            "Age of a tweet, from the stream's tenth second on; `hdfs_flush_seconds` is 2 here, 30 by default; the "
            "goal is that, or Elasticsearch's refresh interval of 1 s, and 0.5 s"
        ),
        "missed": "missed",
        "head": [
            "", "records/s (least–most)", "of the limit", "client CPU s", "server CPU s", "MB", "start s",
            "killed: lost / doubled",
        ],
        "producing_head": [
            "median of {} rounds", "records/s (least–most)", "client CPU s", "brokers' CPU s", "MB", "start s",
        ],
        "freshness_head": ["tweets/s", "until it is", "p50", "p99", "goal, p99"],
        "missing": "not installed",
        "failed": "failed",
        "torn": "torn",
        "came": " ({:,} came)",
        "of": "of",
        "ahead": "{0} {1}: {2}",
        "faster": "is faster",
        "cheaper": "takes less CPU",
        "both": "is faster and takes less CPU",
        "reading": "Reading alone, records/s (client CPU s): {}.",
        "growth": "{}, client CPU s and memory by records: {}.",
        "processes": "{}, records/s and client CPU s by processes: {}.",
        "standing": "{0} reaches {1} times the fastest peer that neither loses nor doubles ({2}).",
        "of_reading": "{} reaches {} of what kafka-python alone reads.",
        "at_once": "Both groups at once take {} times the CPU of the two alone.",
        "claim": "A claim of a partition, by the files in it: {}.",
        "footer": (
            "Median of {rounds} interleaved rounds on {cores} cores with {memory} GB that also run all servers: the "
            "ratios count, not the figures. First each group delivers 300,000 tweets, since servers that have just "
            "been started are slow. CPU seconds are per 100,000 records, of the steady part (from 10% to 90% "
            "delivered, as Elasticsearch and the DataNodes count); start: until the first is delivered. Limits: "
            "ready-made bodies, no Kafka; 100% is `_bulk` by 2 connections, and CREATE of 16 MB. MB: the client's "
            "memory. Killed: the sum of {kills} kills with -9 at 40%, each started again. "
            "Peers index the tweet as X sent it, under a mapping of the same fields; group A builds the document. "
            "`make bench` measures all this, `python3 run.py bench --write-readme` writes it here. Commits measured: "
            "{commits}."
        ),
        "busy": " The machine was busy with other work meanwhile (it had {} cores in the median): measure again.",
        "names": {"group A": "group A", "group B": "group B", "`_bulk`, 1 connections": "`_bulk`, 1 connection"},
    },
    "ko": {
        "chart": "초당 레코드와 CPU 초: 두 group과 사람들이 대신 쓰는 것",
        "elasticsearch": "Kafka에서 Elasticsearch로",
        "hdfs": "Kafka에서 HDFS로",
        "producing": "Kafka로",
        "freshness": (
            "tweet의 나이 (stream의 열째 초부터. 여기서 `hdfs_flush_seconds`는 2, 기본값은 30. 목표는 그 값, 또는 "
            "Elasticsearch의 refresh interval 1초에 0.5초를 더한 것)"
        ),
        "missed": "못 미침",
        "head": [
            "", "초당 레코드 (최소–최대)", "한계 대비", "클라이언트 CPU 초", "서버 CPU 초", "MB", "시작 초",
            "kill 후: 유실 / 중복",
        ],
        "producing_head": [
            "{}번의 중앙값", "초당 레코드 (최소–최대)", "클라이언트 CPU 초", "브로커 CPU 초", "MB", "시작 초",
        ],
        "freshness_head": ["초당 tweet", "언제까지", "p50", "p99", "목표 p99"],
        "missing": "설치되지 않음",
        "failed": "실패",
        "torn": "잘린 줄",
        "came": " ({:,} 도착)",
        "of": "/",
        "ahead": "{0}: {1}. {2}",
        "faster": "더 빠릅니다",
        "cheaper": "CPU를 덜 씁니다",
        "both": "더 빠르고 CPU도 덜 씁니다",
        "reading": "읽기만 할 때 초당 레코드 (클라이언트 CPU 초): {}.",
        "growth": "{}, 레코드 수에 따른 클라이언트 CPU 초와 메모리: {}.",
        "processes": "{}, 프로세스 수에 따른 초당 레코드와 클라이언트 CPU 초: {}.",
        "standing": "{0}: 유실도 중복도 없는 가장 빠른 비교 대상({2})의 {1}배.",
        "of_reading": "{}: kafka-python이 읽기만 할 때의 {}배.",
        "at_once": "두 group이 동시에 돌 때의 CPU는 따로 돌 때의 {}배입니다.",
        "claim": "partition 하나를 맡는 데 걸리는 시간, 그 안의 파일 수에 따라: {}.",
        "footer": (
            "모든 서버가 함께 도는 코어 {cores}개, 메모리 {memory} GB에서 번갈아 {rounds}번 돌린 중앙값입니다. "
            "수치보다 비율이 중요합니다. 갓 시작한 서버는 느리므로, 먼저 두 group이 tweet을 300,000개씩 전달합니다. "
            "CPU 초는 레코드 100,000개당, 안정 구간(Elasticsearch와 DataNode가 센 것으로 10%에서 90%까지)의 값이고, "
            "시작은 첫 레코드가 도착할 때까지입니다. 한계: 미리 만든 본문, Kafka 없이. "
            "100%는 연결 2개의 `_bulk`와 16 MB의 CREATE. MB: 클라이언트의 메모리. "
            "kill: 40%에서 kill -9 후 다시 시작, {kills}번의 합. "
            "비교 대상은 X가 보낸 tweet을 그대로, 같은 필드의 매핑으로 색인하고, group A는 문서를 만듭니다. "
            "`make bench`가 모두 재고, `python3 run.py bench --write-readme`가 여기에 적습니다. "
            "잰 commit: {commits}."
        ),
        "busy": " 그동안 기계가 다른 일로 바빴습니다(중앙값으로 코어 {}개). 다시 재십시오.",
        "names": {
            "group A": "group A", "group B": "group B", "one `es.index` a record": "레코드마다 `es.index`",
            "one append a record": "레코드마다 append", "confluent-kafka, raw bodies": "confluent-kafka, 원문 그대로",
            "confluent-kafka, 2 in flight": "confluent-kafka, 동시에 2개",
            "confluent-kafka, 16 MB appends": "confluent-kafka, 16 MB씩 append",
            "quix-streams, files": "quix-streams, 파일", "`_bulk`, 1 connections": "`_bulk`, 연결 1개",
            "`_bulk`, 2 connections": "`_bulk`, 연결 2개", "`_bulk`, 4 connections": "`_bulk`, 연결 4개",
            "kafka-python, its defaults": "kafka-python, 기본값",
            "kafka-python, our settings": "kafka-python, 같은 설정",
            "confluent-kafka, our settings": "confluent-kafka, 같은 설정",
            "Kafka's own tool, our settings": "Kafka의 도구, 같은 설정", "Kafka's own tool": "Kafka의 도구",
            "searchable": "검색됨",
            "readable in HDFS": "HDFS에서 읽힘",
        },
    },
}  # fmt: skip

WHY: dict[str, dict[str, str]] = {
    "en": {
        "one `es.index` a record": "it does a small part of the job.",
        "kafka-python, `helpers.bulk`": "it builds no document.",
        "confluent-kafka, raw bodies": (
            "librdkafka unpacks records in C, and the tweet goes on as it came: no document is built, an answer's "
            "items are not read, nothing waits for a retry, and a tweet that Elasticsearch refuses ends it."
        ),
        "confluent-kafka, 2 in flight": "for the same reasons.",
        "quix-streams": "it builds no document.",
        "rsyslog": "it is written in C and builds no document; what is in its memory when it is killed is lost.",
        "one append a record": "it does a small part of the job.",
        "confluent-kafka, 16 MB appends": (
            "librdkafka unpacks records in C, and the value goes on without offset, headers or a look at it; nothing "
            "fences an owner that was replaced, and what was appended but not committed when it is killed comes twice."
        ),
        "quix-streams, files": "librdkafka unpacks records in C, and nothing fences an owner that was replaced.",
        "Flume": "a record goes from the channel to the file as bytes, without its offset and headers.",
        "Spark Structured Streaming": "it writes the values alone, on all cores.",
    },
    "ko": {
        "one `es.index` a record": "일의 일부만 합니다.",
        "kafka-python, `helpers.bulk`": "문서를 만들지 않습니다.",
        "confluent-kafka, raw bodies": (
            "librdkafka가 C로 레코드를 풀고, tweet은 온 그대로 나갑니다. 문서를 만들지 않고, "
            "항목별 응답을 읽지 않으며, 재시도를 기다리지 않고, Elasticsearch가 거절한 tweet 하나로 끝납니다."
        ),
        "confluent-kafka, 2 in flight": "같은 이유입니다.",
        "quix-streams": "문서를 만들지 않습니다.",
        "rsyslog": "C로 쓰였고 문서를 만들지 않습니다. kill될 때 메모리에 있던 것은 사라집니다.",
        "one append a record": "일의 일부만 합니다.",
        "confluent-kafka, 16 MB appends": (
            "librdkafka가 C로 레코드를 풀고, 값은 오프셋과 헤더 없이, 보지도 않고 나갑니다. "
            "밀려난 소유자를 막는 것이 없고, append는 됐지만 커밋되지 않은 것은 kill 후 두 번 옵니다."
        ),
        "quix-streams, files": "librdkafka가 C로 레코드를 풀고, 밀려난 소유자를 막는 것이 없습니다.",
        "Flume": "레코드가 오프셋과 헤더 없이 바이트 그대로 채널에서 파일로 갑니다.",
        "Spark Structured Streaming": "값만, 모든 코어로 씁니다.",
    },
}
