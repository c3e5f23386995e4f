"""YAML with places: every mapping remembers its file and the line of each key."""
import yaml

try:
    LOADER = yaml.CSafeLoader
except AttributeError:
    LOADER = yaml.SafeLoader


class BadInput(Exception):
    """What is wrong with an input file; the text starts with file:line."""


class Map(dict):
    def __init__(self, file, line):
        super().__init__()
        self.file, self.line, self.lines = file, line, {}

    def fail(self, key, reason):
        raise BadInput('%s:%d: %s' % (self.file, self.lines.get(key, self.line), reason))


def read(path, name=None):
    """The one document of a file; `name` is what messages call the file."""
    name = name or path
    with open(path) as text:
        loader = LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise BadInput('%s:1: the file is empty' % name)
            return convert(loader, node, name)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BadInput('%s:%d: %s' % (name, line, error.problem)) from None
        finally:
            loader.dispose()


def convert(loader, node, file):
    if isinstance(node, yaml.MappingNode):
        out = Map(file, node.start_mark.line + 1)
        for key_node, value_node in node.value:
            key = key_node.value
            line = key_node.start_mark.line + 1
            if key in out:
                raise BadInput('%s:%d: %s stands twice' % (file, line, key))
            out.lines[key] = line
            out[key] = convert(loader, value_node, file)
        return out
    if isinstance(node, yaml.SequenceNode):
        return [convert(loader, item, file) for item in node.value]
    return loader.construct_object(node)


def merge(base, over):
    """Lays the mapping `over` upon `base`; null erases, nested mappings are joined."""
    for key, value in over.items():
        base.lines[key] = over.lines[key]
        if isinstance(value, Map) and isinstance(base.get(key), Map) and key != 'default':
            merge(base[key], value)
        elif value is None:
            base.pop(key, None)
        else:
            base[key] = value
            if base.file != over.file:
                base.file_of = getattr(base, 'file_of', {})
                base.file_of[key] = over.file
