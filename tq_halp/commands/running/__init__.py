"""What a run does: from a config to a trained model and a run directory that tells the story.

experiment     config and data -> model, algorithm, optimizer     cost          before it starts
run            the run itself                                     recorder      while it goes on
run_directory  what it leaves behind                              report        in the terminal
checkpoints    what it can go on from                             state         what they hold
checkpointing  when they are written                              order         of the examples
"""
