"""What producer.py asks X besides tweets: whether the keys do, and the rules. None of it costs anything."""

from kafka_cluster.plain_text import printable
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.x_keys import KEYS, what_the_keys_allow
from stream_rules import bring_in_line, compare, read_rules, refusals, rules_client
from x_session import X_URL, bearer_token


def check(settings: Settings, url: str = X_URL) -> int:
    """Say what the keys allow, and ask X for a token and the rules. Raises UserError with what is to be done."""
    for name in KEYS:
        print(f"{name}: {'is in .env' if getattr(settings, name) else 'not set'}")
    print(what_the_keys_allow(settings))
    token = bearer_token(settings, url)
    print("X takes api_key and api_secret")
    there = compare(rules_client(token, url), [])
    print(f"X lets this app use the filtered stream; its rules there: {len(there.superfluous)}")
    print(f"a run reads at most {settings.max_posts:,} posts (max_posts); X bills what it sends")
    return 0


def rules_list(settings: Settings, url: str = X_URL) -> int:
    """Print X's rules as lines of a rules file."""
    rules = compare(rules_client(bearer_token(settings, url), url), []).superfluous
    for _, rule in rules:
        print(printable(f"{rule.tag}: {rule.value}"))
    if not rules:
        print("# X has no rules of this app")
    return 0


def rules_check(settings: Settings, url: str = X_URL) -> int:
    """Say what X thinks of the file's rules, and how they differ from its own; changes nothing."""
    wanted = read_rules(settings.rules_file)
    client = rules_client(bearer_token(settings, url), url)
    refused = refusals(client, wanted)
    if refused:
        raise UserError("X would refuse rules:\n  " + "\n  ".join(refused))
    difference = compare(client, wanted)
    print(difference)
    same = not difference.missing and not difference.superfluous
    print(
        "X has the rules of the file" if same else "X takes them: + would be added, - removed (rules apply)"
    )
    return 0


def rules_apply(settings: Settings, url: str = X_URL) -> int:
    """Make X's rules those of the file, and say what was changed."""
    wanted = read_rules(settings.rules_file)
    print(bring_in_line(rules_client(bearer_token(settings, url), url), wanted))
    return 0
