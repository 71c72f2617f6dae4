from basketwise.schema import (
    CLASSES,
    COLUMNS,
    COMPLETE_JOURNEY,
    DEFAULT_LABELS,
    HIERARCHY,
    INDEX_LABELS,
    UNCLASSIFIED,
    Kind,
)

NAMES = [column.name for column in COLUMNS]
VENDOR_LABELS = {
    *("BASKET_SIZE", "BASKET_TYPE", "BASKET_DOMINANT_MISSION"),
    *("CUST_PRICE_SENSITIVITY", "CUST_LIFESTAGE", "SEG_1", "SEG_2"),
}


def test_classes_come_in_the_order_that_every_matrix_has() -> None:
    assert CLASSES == ("Low", "Medium", "High")
    assert (*CLASSES, UNCLASSIFIED) == INDEX_LABELS


def test_less_affluent_means_high_sensitivity() -> None:
    assert {given: DEFAULT_LABELS[given] for given in ("LA", "MM", "UM", "XX")} == {
        "LA": "High",
        "MM": "Medium",
        "UM": "Low",
        "XX": UNCLASSIFIED,
    }
    assert {DEFAULT_LABELS[name] for name in CLASSES} == set(CLASSES)


def test_the_vendors_labels_are_never_read() -> None:
    assert VENDOR_LABELS.isdisjoint(NAMES)


def test_columns_are_named_once_in_upper_case() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [name.upper() for name in NAMES] == NAMES
    assert set(HIERARCHY) < set(NAMES)


def test_what_a_line_needs() -> None:
    assert [column.name for column in COLUMNS if column.required] == [
        "BASKET_ID",
        "PROD_CODE",
        "SPEND",
        "QUANTITY",
        "BASKET_PRICE_SENSITIVITY",
    ]
    assert [column.name for column in COLUMNS if column.kind is Kind.ID] == ["BASKET_ID"]


def test_the_other_set_can_be_distinguished() -> None:
    # The two sets share some names; at least three must be the other's own.
    assert len(COMPLETE_JOURNEY - set(NAMES)) >= 3
