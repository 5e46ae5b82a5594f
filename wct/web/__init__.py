"""The web page: a photo, some styles and sliders in a browser, `wct web`.

    page        what a visitor sees (Gradio)        drop.js, picks.js, brush.js, page.css
    session     what one visitor has                preview     quick small results
    studio      what all visitors share             shelf       the folder of saved styles
    server      from the command to the browser     gate        what requests may ask

Needs the extra `web` (Gradio). No picture of a visitor's is written to disk, and no file or address that a request
names is opened.
"""
