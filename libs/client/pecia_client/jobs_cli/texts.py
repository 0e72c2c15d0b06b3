"""What the help of `pecia jobs` says, with lines to copy."""

JOBS = """Long documents: hand them in, do something else, fetch the text.

[bold]Examples[/bold]

  pecia jobs submit thesis.pdf             prints the job's id at once
  pecia jobs watch ID                      a bar, and what fails as it fails
  pecia jobs get ID > thesis.md            the text, when it is done
  pecia jobs list --status processing      what is under way

A job belongs to the key that made it, goes on when this command ends, and survives restarts.
"""
SUBMIT = """Hand in PDFs, TIFFs or pictures; each becomes a job, and its id is printed.

[bold]Examples[/bold]

  pecia jobs submit thesis.pdf --watch     stay and see how it goes
  pecia jobs submit *.pdf -o texts         stay; one texts/NAME.md each
  pecia jobs submit book.pdf -p 1-20,35-   some pages only
  pecia jobs submit scan.pdf -l ind,eng --no-text-layer
  pecia jobs submit big.pdf --not-before 22:00 --priority low
  pecia jobs submit contract.pdf --webhook https://example.com/done
  ID=$(pecia jobs submit thesis.pdf); pecia jobs watch $ID

Exit code: 0 = all were handed in, 1 = some were not, 2 = the command was wrong. With --watch or
--output as `pecia jobs watch`, the worst of all.
"""
WATCH = """Show how a job goes until it ends. Ctrl-C ends the watching; the job goes on.

[bold]Examples[/bold]

  pecia jobs watch ID
  pecia jobs watch ID && pecia jobs get ID -o thesis.md
  pecia jobs watch ID --json | jq .page.number

A gateway that is restarted meanwhile is waited for, up to ten minutes.

Exit code: 0 = completed, 3 = completed with pages missing, 1 = failed, or nothing could be found out,
4 = cancelled, 130 = Ctrl-C, 2 = the command was wrong.
"""
GET = """Fetch the text of a job, or of one of its pages.

[bold]Examples[/bold]

  pecia jobs get ID                        Markdown, on the screen
  pecia jobs get ID -f text -o thesis.txt  plain text, into a file
  pecia jobs get ID -f json | jq .pages    lines, boxes, confidence
  pecia jobs get ID --partial              what is done while it runs
  pecia jobs get ID --page 7               one page, as soon as it is done
"""
PICTURE = """Fetch a page as it looks, to hold it beside its text.

[bold]Examples[/bold]

  pecia jobs picture ID --page 7 -o page7.jpg
  pecia jobs picture ID --page 7 --dpi 200 > page7.jpg

Pages of a PDF come as JPEG, pictures and pages of a TIFF as they were sent.
"""
LIST = """List your jobs, newest first.

[bold]Examples[/bold]

  pecia jobs list
  pecia jobs list -s failed -n 5
  pecia jobs list --all --json | jq -r .job_id
"""
RESUME = """Read once more what failed or was cancelled; pages that are done stay as they are.

[bold]Examples[/bold]

  pecia jobs resume ID                     all pages that are missing
  pecia jobs resume ID --page 7            one page, also if it is done
"""
