"""Pillow's settings while several threads read."""

import threading
import warnings

from PIL import Image, ImageFile

from nstcli.images.guard import reading, writing


def test_settings_come_back_when_the_last_of_several_threads_is_done():
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    inside, leave = threading.Event(), threading.Event()

    def other():
        with reading():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    with reading():
        thread.start()
        assert inside.wait(5)  # it need not wait for us
    assert Image.MAX_IMAGE_PIXELS is None  # the other one still reads
    leave.set()
    thread.join(5)
    assert before == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))


def test_reading_within_reading_and_after_an_error():
    before = Image.MAX_IMAGE_PIXELS
    for _ in range(2):
        try:
            with reading(), reading():
                assert Image.MAX_IMAGE_PIXELS is None
                raise ValueError
        except ValueError:
            assert before == Image.MAX_IMAGE_PIXELS


def test_warnings_are_kept_off_the_screen():
    with reading():
        warnings.warn("a broken tag", stacklevel=1)  # else an error, here


def test_a_larger_buffer_is_given_for_a_moment():
    before = ImageFile.MAXBLOCK
    with writing(10 * before):
        assert 10 * before == ImageFile.MAXBLOCK
    with writing(1):
        assert before == ImageFile.MAXBLOCK
    assert before == ImageFile.MAXBLOCK
