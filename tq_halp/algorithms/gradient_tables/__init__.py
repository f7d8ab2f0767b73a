"""Tables of minibatch gradients: T_i, the last gradient seen of minibatch i.

table_arrays        n rows in memory, packed, or in a file    table_entries   T_i of one variable
minibatch_numbers   which i a minibatch is                    table           all of them, T̄
table_size          what a table needs, and whether it fits
"""
