"""XML tree: the nodes of an article as The Pile's version of pandoc saw them.

Bytes of a JATS article come in, `Node`s go out. lxml parses; what differs from pandoc 2.9's own reader of XML is
put back: it takes a processing instruction for a tag. `<?properties open_access?>` opens an element that its parent
closes, and an instruction with a slash in it ends there, the rest being text: so many documents
of The Pile begin with the line `/NLM//DTD Journal Publishing DTD v2.0 20040830//EN?\\>`.
"""

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

XLINK = "{http://www.w3.org/1999/xlink}"
_WHITE = " \t\n\r"


@dataclass(slots=True, eq=False)
class Node:
    """An element: its local name, its namespace prefix, its attributes by local name, and what it holds."""

    name: str
    prefix: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)
    href: str | None = None  # xlink:href and xlink:title: the only attributes whose namespace matters
    title: str = ""

    def get(self, name: str) -> str:
        """Return an attribute by its local name, "" when there is none."""
        return self.attributes.get(name, "")

    def elements(self, *names: str) -> "list[Node]":
        """Return the child elements of these names, or all of them."""
        return [child for child in self.children if isinstance(child, Node) and (not names or child.name in names)]

    def element(self, *names: str) -> "Node | None":
        """Return the first child element of these names."""
        for child in self.children:
            if isinstance(child, Node) and child.name in names:
                return child
        return None

    def find(self, name: str) -> "Node | None":
        """Return the first element of this name in document order, the node itself included."""
        if self.name == name:
            return self
        for child in self.children:
            if isinstance(child, Node) and (found := child.find(name)) is not None:
                return found
        return None

    def find_all(self, name: str) -> "list[Node]":
        """Return the outermost elements of this name, the node itself included."""
        if self.name == name:
            return [self]
        return [found for child in self.children if isinstance(child, Node) for found in child.find_all(name)]

    def own_text(self) -> str:
        """Return the text directly inside, without that of child elements."""
        return "".join([child for child in self.children if isinstance(child, str)])

    def all_text(self) -> str:
        """Return the text of the whole subtree."""
        return "".join([child if isinstance(child, str) else child.all_text() for child in self.children])


def read_tree(element: etree._Element) -> Node:
    """Return an article's element, whose tree was parsed with its processing instructions, as pandoc's tree."""
    return _convert(element)


def _convert(element: etree._Element) -> Node:
    node = Node(name=etree.QName(element).localname, prefix=element.prefix or "")
    for key, value in element.attrib.items():
        name = str(key)
        if name[0] == "{":
            if name.startswith(XLINK):
                if name.endswith("}href"):
                    node.href = str(value)
                elif name.endswith("}title"):
                    node.title = str(value)
            name = name.rpartition("}")[2]
        node.attributes.setdefault(name, str(value))
    _fill(node.children, element)
    return node


def _fill(children: list[Node | str], element: etree._Element) -> None:
    """Append what an element holds; what follows an unclosed instruction goes into it."""
    if element.text:
        children.append(element.text)
    for child in element:
        tag: Any = child.tag
        if isinstance(tag, str):
            children.append(_convert(child))
        elif tag is etree.ProcessingInstruction:
            children = _instruction(children, child)
        if child.tail:
            if children and isinstance(children[-1], str):
                children[-1] += child.tail
            else:
                children.append(child.tail)


def _instruction(children: list[Node | str], instruction: Any) -> list[Node | str]:
    """Append an instruction as the tag it was taken for; return the list that what follows belongs to."""
    source = f"?{instruction.target} {instruction.text}?>" if instruction.text else f"?{instruction.target}?>"
    name, at = _name(source, 0)
    node = Node(name=name)
    children.append(node)
    closed, at = _attributes(source, _skip(source, at))
    if not closed:
        children = node.children
    if at < len(source):
        children.append(source[at:])
    return children


def _attributes(source: str, at: int) -> tuple[bool, int]:
    """Read attributes up to the end of a tag; return whether the tag is closed in itself, and where it ends."""
    while at < len(source):
        if source[at] == ">":
            return False, at + 1
        if source[at] == "/":
            return True, at + 2 if source.startswith("/>", at) else at + 1
        if source.startswith("?>", at):
            return True, at + 2
        start = at
        _, at = _name(source, at)
        at = _skip(source, at)
        if source.startswith("=", at):
            at = _value(source, _skip(source, at + 1))
        at = _skip(source, at)
        if at == start:
            at += 1
    return False, at


def _value(source: str, at: int) -> int:
    """Return the end of an attribute's value."""
    quote = source[at : at + 1]
    if quote in ("'", '"') and quote:
        end = source.find(quote, at + 1)
        return len(source) if end < 0 else end + 1
    while at < len(source) and source[at] not in _WHITE and source[at] not in ">/":
        at += 1
    return at


def _name(source: str, at: int) -> tuple[str, int]:
    start = at
    while at < len(source) and source[at] not in _WHITE and source[at] not in "=>/":
        at += 1
    return source[start:at], at


def _skip(source: str, at: int) -> int:
    while at < len(source) and source[at] in _WHITE:
        at += 1
    return at
