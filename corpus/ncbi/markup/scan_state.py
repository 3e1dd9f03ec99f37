"""What the scan of `corpus.ncbi.markup.scan` knows at any moment: places in one int64[STATE]."""

OUT = 0  # bytes of text so far
CHARACTERS = 1  # characters of text so far
SOLID = 2  # those that are not white space
BLANK = 3  # whether the last one was a space
MARKS = 4  # control characters put in so far
ROWS = 5  # rows so far
PARENT = 6  # the row of the innermost open element that has one, -1 for none
DEPTH = 7  # how many elements are open
IN_OPAQUE = 8  # the depth of the opaque element around, 0 for none
IN_DETAILED = 9  # the depth of the detailed element around, 0 for none
CLOSED = 10  # the index behind the last end tag
ROOTS = 11  # elements at the top so far
TOP = 12  # where the name of the record around begins
TOP_SIZE = 13  # the bytes of that name
SCOPED = 14  # the largest depth at which a prefix was declared that is in force
PREFIXES = 15  # prefixes declared so far
PROVEN = 16  # whether all so far is proven to be well-formed
LINKS = 17  # start tags with a `rid` so far
RID = 18  # where the `rid` of the start tag that is being read begins, 0 for none
RID_END = 19
STATE = 20
