"""What Prometheus reads of a proxy, by Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

from guard.telemetry.exposition import exposed


class Figures:
    """A scrape: every sample by its name and labels."""

    def __init__(self, text):
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def of(self, name, **labels):
        """The sum of the samples of that name which have these labels."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())

    def labels(self, name, label):
        """Every value that a label of a family takes."""
        return {one.labels[label] for one in self.samples if one.name == name and label in one.labels}


def scraped(client, **headers):
    """The figures of a proxy."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    return Figures(response.text)


def figures_of(meters):
    """The figures of meters that no proxy serves."""
    return Figures(exposed(meters.tally.series())[0].decode())
