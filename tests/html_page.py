"""An HTML page as tests look at it."""

import html.parser


class Checker(html.parser.HTMLParser):
    """Collects tags and text; knows whether every tag is closed where it must be.

    Args:
        void: the tags that are not closed.
    """

    def __init__(self, void):
        super().__init__()
        self._void = void
        self.open, self.tags, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self._void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        assert tag in self._void
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text.append(data)
