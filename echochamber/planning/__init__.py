"""What a grid costs, before anything runs: parameters and FLOPs, what devices do, and a plan of it all. No torch."""
