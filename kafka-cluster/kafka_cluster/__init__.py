"""What the producer and the consumers share: settings, the shape of a message, Kafka options, topics."""
