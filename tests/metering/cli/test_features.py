"""``metering features``: made, attached, had by customers and archived."""

from pathlib import Path

from tests.metering.cli.running import assert_only_fails, document, run


def test_a_feature_is_attached_had_and_detached(place: Path) -> None:
    made = run("features", "create", "--lookup-key", "sso", "--name", "Sign-on").stdout
    assert "lookup key   sso" in made
    product = document("products", "create", "--name", "Pro")["id"]
    price = document(
        *("prices", "create", "--product", product, "--currency", "usd"),
        *("--unit-amount", "9.00", "--every", "month"),
    )["id"]
    to_product = ["--product", product]

    attached = run("features", "attach", "sso", *to_product).stdout
    assert attached == f"{product} entitles to sso\n"
    assert "Sign-on" in run("features", "attached", product).stdout
    document("subscriptions", "create", "--customer", "cus_1", "--price", price)
    of_customer = ["--customer", "cus_1"]
    assert run("features", "check", "sso", *of_customer).stdout == "cus_1 has sso\n"
    [has] = document("features", "entitlements", *of_customer)
    assert has["lookup_key"] == "sso"
    assert "sso" in run("features", "entitlements", *of_customer).stdout

    detached = run("features", "detach", "sso", *to_product).stdout
    assert detached == f"{product} entitles to sso no more\n"
    until = document("features", "check", "sso", *of_customer)["until"]
    [paid] = document("subscriptions", "list")
    assert until == paid["items"]["data"][0]["current_period_end"]
    assert_only_fails(
        run("features", "detach", "sso", *to_product),
        "No such product feature: 'sso'",
    )


def test_a_feature_is_changed_and_archived(place: Path) -> None:
    run("features", "create", "--lookup-key", "sso", "--name", "Sign-on")
    assert document("features", "update", "sso", "--name", "SSO")["name"] == "SSO"

    archived = run("features", "archive", "sso").stdout

    assert archived.endswith("; its lookup key is free\n")
    assert "No features" in run("features").stdout
    assert "SSO" in run("features", "list", "--archived").stdout
