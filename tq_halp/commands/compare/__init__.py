"""`python -m tq_halp.compare`: algorithms compared on one task, over seeds and at equal cost.

command           carries it out                  command_line      its arguments
candidates        what is compared, its settings  compared_run      one run: folder, how it ended
run_grid          the runs that are needed        folder_lock       one comparison per folder
bought_epochs     what a budget buys              budget_plan       the epochs of each run by it
check_before_runs their settings are checked      tensorflow_process  what TensorFlow has to answer
process_pool      processes that carry them out   worker_process    one such process
progress_display  what the terminal shows         results           what all runs left
equal_budget      evaluations at equal budgets    statistics        means, errors, tests
pair_tables       candidates and the baseline     summary_tables    the other tables
table_numbers     numbers in them                 figures           curves and diagnostics
text_and_tables   tables as Markdown              comparison_page   and as HTML with the figures
"""
