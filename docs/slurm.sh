#!/bin/bash
# Runs one command of sgdlab as a SLURM job that survives its time limit and pre-emption:
#
#   sbatch docs/slurm.sh train dataset=fashion_mnist model=cnn checkpoint.every=500
#   sbatch docs/slurm.sh train -m optimizer=sgd,adamw seed=0,1,2 study=first checkpoint.every=500
#   sbatch docs/slurm.sh compare optimizers=[sgd,adamw] study=which checkpoint.every=500
#
# SLURM sends SIGUSR1 two minutes before the time is over, and SIGTERM before it pre-empts. Either
# ends sgdlab after its step, with a checkpoint; the job is queued again and goes on from there.
#SBATCH --job-name=sgdlab
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=2
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

arguments=("$@")
# A run alone is called by the time at which it was begun: it needs a folder that stays.
if [[ $1 == train && " $* " != *" -m "* && " $* " != *" --multirun "* && "$*" != *hydra.run.dir=* ]]; then
  arguments+=("hydra.run.dir=runs/slurm/$SLURM_JOB_ID")
fi

sgdlab "${arguments[@]}" &
child=$!
trap 'kill -USR1 $child' USR1
trap 'kill -TERM $child' TERM

# A signal ends wait, too: it is asked again until sgdlab itself has ended.
wait $child
code=$?
while kill -0 $child 2> /dev/null; do
  wait $child
  code=$?
done

# 138 and 143: told to stop, by SIGUSR1 and by SIGTERM.
if [[ $code == 138 || $code == 143 ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
