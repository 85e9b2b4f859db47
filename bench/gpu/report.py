"""Puts the parts' reports into one, and prints the summary.

Usage: report.py FOLDER SECONDS
"""
import json
import os
import sys

folder, seconds = sys.argv[1], int(sys.argv[2])


def read(name):
    try:
        with open(os.path.join(folder, name)) as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


with open(os.path.join(folder, "machine.txt")) as f:
    machine = f.read().splitlines()
parts = {}
with open(os.path.join(folder, "summary.tsv")) as f:
    for line in f.read().splitlines():
        name, verdict, why = line.split("\t")
        parts[name] = {"verdict": verdict, "why": why, "report": read(name + ".json")}
if "devices" in parts:
    parts["devices"]["doctor"] = read("doctor.json")
with open(os.path.join(folder, "report.json"), "w") as f:
    json.dump({"machine": machine, "seconds": seconds, "parts": parts}, f, indent=1)
print(f"\n{'part':9} verdict ({seconds} s)")
for name, part in parts.items():
    print(f"{name:9} {part['verdict']}{': ' + part['why'] if part['why'] else ''}")
print(f"all figures: {os.path.join(folder, 'report.json')}")
sys.exit(0 if all(part["verdict"] == "pass" for part in parts.values()) else 1)
